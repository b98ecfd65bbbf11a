"""Pure text in, values out, and back: no files, no clock, no network, no environment."""
