"""What is true: plain values and pure functions. No I/O, no clock, no randomness: they come in as arguments."""
