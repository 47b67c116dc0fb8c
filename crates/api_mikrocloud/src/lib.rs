//! api_mikrocloud
