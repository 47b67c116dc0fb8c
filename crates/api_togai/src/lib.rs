//! api_togai
