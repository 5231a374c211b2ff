"""People whom tests let log in."""

from ringpost.domain.access import Role
from ringpost.domain.secrets import Secret
from ringpost.domain.tenants import TenantDraft
from ringpost.usecases.create_user import NewUser
from ringpost.usecases.log_in import Login

PASSWORD = "correct horse battery"
ANNA = NewUser("Anna", PASSWORD, Role.TENANT_ADMIN)
DRAFT = TenantDraft("Acme", "acme.example")


def login(username: str = "anna", password: str = PASSWORD, domain: str | None = "acme.example") -> Login:
    """What Anna logs in with, unless told."""
    return Login(username, Secret(password), domain)
