"""Persons of parties: added, sign in with password and one-time code, withdrawn.

A refused sign-in says neither which of the three was wrong nor whether anybody has the name, and does the
same work in each case. A login name is ASCII in the form of an e-mail address: letters that only look alike
are other characters, and no name. A code counts once. Leaves out passkeys and forgotten passwords: a person
who lost either is withdrawn and added again.
"""

from __future__ import annotations

import hashlib
import logging
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from carbonseal_api.accounts.attempts import clear_attempts, count_attempt
from carbonseal_api.accounts.models import PasswordLink, Person
from carbonseal_api.accounts.one_time_codes import new_secret, provisioning_uri, step_of
from carbonseal_api.accounts.passwords import check_password, hash_password, is_password
from carbonseal_api.accounts.sealing import open_secret, seal_secret
from carbonseal_api.assembly import Parts
from carbonseal_api.authentication import Principal
from carbonseal_api.database import WebSession
from carbonseal_api.permissions import shipped_table
from carbonseal_api.problems import ApiError, NotFound, PartMissing, RequestInvalid, RoleMissing

LINK_MS: Final = 3 * 86_400_000  # a link made on Friday works on Monday
LINK_PATH: Final = "/sign-in/password/"
_LOGIN: Final = re.compile(
    r"[a-z0-9][a-z0-9._+-]{0,63}@[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9-]{1,63}){1,4}"
)
_MAX_LOGIN: Final = 120
_logger = logging.getLogger(__name__)


class SignInRefused(ApiError):
    """Name, password and code do not go together; which of them is wrong is not said."""

    code = "sign-in-refused"
    status = 401


class LoginTaken(ApiError):
    """Somebody who may sign in has this login name."""

    code = "login-taken"
    status = 409


class LinkSpent(ApiError):
    """A password link was used, is too old, or was never given."""

    code = "link-spent"
    status = 401


@dataclass(frozen=True, slots=True)
class AddedPerson:
    """A person who was just added, with what to give to that person alone."""

    person_id: str
    party: str
    login: str
    roles: list[str]
    otpauth: str
    password_link: str


def add_person(parts: Parts, party: str, login: str, roles: Iterable[str]) -> AddedPerson:
    """Add a person of a party, who then sets a password by the link.

    Raises:
        RequestInvalid: The login name, or a role, is not one.
        RoleMissing: A role that reads no pages, or that the party was not admitted for.
        PartyNotAdmitted: The party is not admitted now.
        LoginTaken: Somebody has the name.
    """
    name = normal_login(login)
    if name is None:
        raise RequestInvalid(
            "login", "is not in the form of an e-mail address", "write name@example.org in ASCII"
        )
    chosen = parts.keys.check_roles(party, roles)
    blind = sorted(set(chosen) - shipped_table().page_roles)
    if blind:
        raise RoleMissing(
            "roles", f"{', '.join(blind)} reads no pages", "give a program a client or an API key"
        )
    person_id, secret, token = f"p-{secrets.token_hex(8)}", new_secret(), secrets.token_urlsafe(32)
    sealed, now = seal_secret(parts, person_id, secret), parts.clock()
    with Session(parts.engine) as session:
        session.add(
            Person(
                person_id=person_id,
                party=party,
                login=name,
                roles=chosen,
                password=None,
                code_secret=sealed,
                last_step=-1,
                created_at=now,
                withdrawn_at=None,
            )
        )
        session.add(PasswordLink(token_hash=_hash(token), person_id=person_id, expires_at=now + LINK_MS))
        try:
            session.commit()
        except IntegrityError as problem:
            raise LoginTaken("login", "somebody has this name", "choose another") from problem
    link = f"{parts.settings.address}{LINK_PATH}{token}"
    return AddedPerson(person_id, party, name, chosen, provisioning_uri(secret, name), link)


def withdraw_person(parts: Parts, person_id: str, party: str | None = None) -> None:
    """End a person's sign-in, sessions and links from now on.

    Raises:
        NotFound: No such person, or of another party than the one given.
    """
    wanted = update(Person).where(Person.person_id == person_id, Person.withdrawn_at.is_(None))
    if party is not None:
        wanted = wanted.where(Person.party == party)
    gone = wanted.values(withdrawn_at=parts.clock(), password=None, code_secret=b"").returning(
        Person.person_id
    )
    with Session(parts.engine) as session, session.begin():
        if not session.execute(gone).all():
            raise NotFound("person_id", "no such person", "list the persons of the organisation")
        session.execute(delete(WebSession).where(WebSession.key_id == person_id))
        session.execute(delete(PasswordLink).where(PasswordLink.person_id == person_id))


def persons_of(parts: Parts, party: str) -> list[Person]:
    """Return the persons of a party, newest first."""
    query = select(Person).where(Person.party == party)
    with Session(parts.engine) as session:
        return list(session.scalars(query.order_by(Person.created_at.desc(), Person.person_id)))


def link_is_good(parts: Parts, token: str) -> bool:
    """Return whether a password link still works; following it spends nothing."""
    query = select(PasswordLink.person_id).where(
        PasswordLink.token_hash == _hash(token), PasswordLink.expires_at > parts.clock()
    )
    with Session(parts.engine) as session:
        return session.execute(query).first() is not None


def set_password(parts: Parts, token: str, password: str, again: str) -> None:
    """Set a person's password, typed twice, by a link, which is spent by it.

    Raises:
        LinkSpent: Used before, too old, or never given.
        RequestInvalid: The password will not do; the link still works.
    """
    live = (PasswordLink.token_hash == _hash(token), PasswordLink.expires_at > parts.clock())
    person = select(Person).join(PasswordLink, PasswordLink.person_id == Person.person_id).where(*live)
    spent = LinkSpent("link", "it was used before, or is older than three days", "ask for a new one")
    with Session(parts.engine) as session:
        row = session.scalars(person.where(Person.withdrawn_at.is_(None))).first()
    if row is None:
        raise spent
    if password != again:
        raise RequestInvalid("again", "the two passwords differ", "type the same twice")
    stored = hash_password(check_password(password, row.login))
    with Session(parts.engine) as session, session.begin():
        if not session.execute(delete(PasswordLink).where(*live).returning(PasswordLink.person_id)).all():
            raise spent
        session.execute(
            update(Person)
            .where(Person.person_id == row.person_id, Person.withdrawn_at.is_(None))
            .values(password=stored)
        )


def sign_in(parts: Parts, login: str, password: str, code: str) -> Principal:
    """Return the person whom name, password and one-time code stand for; the code is spent.

    Raises:
        SignInRefused: They do not go together, or the person or its party may not sign in.
        SignInBlocked: Too many attempts under the name.
        ServiceUnavailable: Too many sign in at this moment.
    """
    name = normal_login(login)
    counted = name or login[:_MAX_LOGIN]
    count_attempt(parts, counted)
    with Session(parts.engine) as session:
        wanted = select(Person).where(Person.login == (name or ""), Person.withdrawn_at.is_(None))
        row = session.scalars(wanted).first()
    is_known = is_password(password, None if row is None else row.password)
    step = step_of(_secret(parts, row), code, parts.clock())
    refused = SignInRefused(
        "sign-in", "name, password and code do not go together", "try again with the next code"
    )
    if row is None or not is_known or step is None or not _spend(parts, row.person_id, step):
        raise refused
    principal = parts.keys.principal_of(row.person_id)
    if principal is None:
        raise refused
    clear_attempts(parts, counted)
    return principal


def normal_login(login: str) -> str | None:
    """Return a login name as it is kept, in lower case; None for what is none.

    Only ASCII is folded: other letters whose lower case is an ASCII letter (the Kelvin sign) are no name.
    """
    if not login.isascii() or len(login) > _MAX_LOGIN:
        return None
    name = login.strip().lower()
    return name if _LOGIN.fullmatch(name) else None


def _secret(parts: Parts, row: Person | None) -> bytes:
    if row is None:
        return new_secret()
    try:
        return open_secret(parts, row.person_id, row.code_secret)
    except PartMissing:
        # Said in the log alone: an answer of its own would tell that somebody has the name.
        _logger.exception("the secret of %s does not open", row.person_id)
        return new_secret()


def _spend(parts: Parts, person_id: str, step: int) -> bool:
    # One statement decides: of two sign-ins with one code at once, one changes the row.
    later = update(Person).where(
        Person.person_id == person_id, Person.last_step < step, Person.withdrawn_at.is_(None)
    )
    with Session(parts.engine) as session, session.begin():
        return bool(session.execute(later.values(last_step=step).returning(Person.person_id)).all())


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()
