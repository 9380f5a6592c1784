//! Push loops that report a process as alive and working to a heartbeat registry.
