//! api_killbill
