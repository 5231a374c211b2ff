"""Access tokens: `tokens` keeps them, `microsoft` and `google` ask for them, `asking` carries that over HTTPS."""

from ringpost.transports.oauth.tokens import Authorities, Tokens

__all__ = ["Authorities", "Tokens"]
