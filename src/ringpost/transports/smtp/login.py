"""Logging in: AUTH PLAIN (RFC 4616), LOGIN (draft-murchison-sasl-login) and XOAUTH2, one step at a time. No I/O."""

from ringpost.domain.endpoints import Auth
from ringpost.transports.smtp import commands

CONTINUE = 334
XOAUTH2 = "XOAUTH2"


class Login:
    """One run of one mechanism. `first()` is the AUTH command, `answer()` what follows a 334."""

    __slots__ = ("_answers", "_first", "mechanism")

    def __init__(self, mechanism: str, username: str, password: str) -> None:
        """ValueError when username or password holds a NUL, which would end the field in PLAIN (RFC 4616 2)."""
        if "\0" in username or "\0" in password:
            raise ValueError("User name and password cannot hold a NUL character.")
        name, secret = username.encode(), password.encode()
        self.mechanism = mechanism
        if mechanism == "PLAIN":
            response = b"\0" + name + b"\0" + secret
            self._first = commands.auth("PLAIN", response)
            # A server that overlooks the initial response asks for it with an empty 334.
            self._answers = [commands.auth_answer(response), commands.CANCEL_AUTH]
        else:
            self._first = commands.auth("LOGIN")
            self._answers = [commands.auth_answer(name), commands.auth_answer(secret), commands.CANCEL_AUTH]

    def first(self) -> bytes:
        """The AUTH command."""
        return self._first

    def answer(self, challenge: bytes) -> bytes | None:  # noqa: ARG002  these mechanisms need not read it
        """What to say to a 334: cancels when the server asks for more than there is (RFC 4954 4), then None."""
        return self._answers.pop(0) if self._answers else None


class TokenLogin:
    """One run of XOAUTH2, the mechanism of Google and Microsoft for access tokens; as `Login`."""

    __slots__ = ("_left", "_response")

    mechanism = XOAUTH2

    def __init__(self, username: str, token: str) -> None:
        """ValueError when either holds a control character, which would end the field."""
        if any(letter < " " for letter in username + token):
            raise ValueError("User name and token cannot hold a control character.")
        self._response = f"user={username}\x01auth=Bearer {token}\x01\x01".encode()
        self._left = 2

    def first(self) -> bytes:
        """The AUTH command."""
        return commands.auth(XOAUTH2, self._response)

    def answer(self, challenge: bytes) -> bytes | None:
        """An empty line to the JSON that says what is wrong: the refusal comes after it. None when that was said."""
        self._left -= 1
        if self._left < 0:
            return None
        # A server that overlooks the initial response asks for it with an empty 334.
        return commands.auth_answer(b"" if challenge.strip() else self._response)


def choose_mechanisms(auth: Auth, offered: frozenset[str]) -> list[str]:
    """The mechanisms to try, best first. Empty when the server offers none that the settings permit."""
    wanted = {Auth.DISABLE: (), Auth.AUTO: ("PLAIN", "LOGIN"), Auth.PLAIN: ("PLAIN",), Auth.LOGIN: ("LOGIN",)}[auth]
    return [name for name in wanted if name in offered]
