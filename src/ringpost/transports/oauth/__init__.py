"""Access tokens: `tokens` keeps them, `microsoft` and `google` ask for them, `asking` carries that over HTTPS."""
