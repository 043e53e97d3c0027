"""`figop serve`: events to other programs, hands from headsets, over HTTP and WebSocket. Needs the extra `serve`."""
