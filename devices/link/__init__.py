"""The serial link to a microcontroller: frames, messages, session, port; what it is for is in docs/serial.md."""
