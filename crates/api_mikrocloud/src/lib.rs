//! MikroCloud's desk: `/v1`.
