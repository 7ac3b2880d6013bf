"""Everything that can go wrong, by what the caller does next.

Messages are words for a person and are chosen here: no exception carries a body, a
token, a ticket or any text that a browser or the network sent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ._locale import Phrase
from ._reasons import SignOutReason

if TYPE_CHECKING:
    from typing_extensions import Self


class AuthError(Exception):
    """Root of all exceptions of this package.

    Attributes:
        code: Stable, machine-readable name of the reason.
        message: Words for a person.
    """

    code: str = "auth_error"
    _PHRASE: Phrase | None = None
    """`message` in each language, where a page may have to draw it."""

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code

    def words(self, locale: str | None = None) -> str:
        """`message` in the language of `locale`, as far as it was translated."""
        phrase = self._PHRASE
        said = phrase is not None and phrase.en == self.message
        return phrase.text(locale) if phrase is not None and said else self.message

    def again(self) -> Self:
        """The same error without its traceback.

        A raised exception keeps the frames of its thread alive, a request's body among
        them: what is kept, or raised in several threads, is a copy.
        """
        copied = type(self).__new__(type(self), *self.args)
        copied.__dict__.update(self.__dict__)
        return copied

    def __reduce__(self) -> tuple[Any, ...]:
        # (the default calls the class with the message, which most of them do not take)
        return _revived, (type(self), self.args, self.__dict__)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.code!r})"


def _revived(kind: type[AuthError], args: tuple[Any, ...], fields: dict[str, Any]) -> AuthError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(fields)
    return error


class SettingsError(AuthError):
    """The settings are incomplete or contradictory; `problems` lists all of them."""

    code = "invalid_settings"

    def __init__(self, problems: list[str]) -> None:
        self.problems = tuple(problems)
        lines = "\n".join(f"- {problem}" for problem in problems)
        super().__init__(f"Component Auth0 cannot start with these settings:\n{lines}")


class UsageError(AuthError):
    """The app calls this package in a way that cannot work; the message names the cure."""

    code = "usage"


class CompanionUnavailable(AuthError):
    """The companion cannot be reached, or is in trouble. Trying again later may help."""

    code = "companion_unavailable"
    _PHRASE = Phrase(
        "The sign-in service cannot be reached. Please try again in a moment.",
        "Der Anmeldedienst ist nicht erreichbar. Bitte versuchen Sie es gleich noch einmal.",
        "Le service de connexion est injoignable. Veuillez réessayer dans un instant.",
        "No se puede contactar con el servicio de acceso. Inténtelo de nuevo en un momento.",
    )

    def __init__(self) -> None:
        super().__init__(self._PHRASE.en)


class CompanionAnswerInvalid(CompanionUnavailable):
    """Something answered in the companion's place, or with a body that is none of its own."""

    code = "companion_answer_invalid"
    _PHRASE = Phrase(
        "The sign-in service gave an answer that cannot be understood.",
        "Die Antwort des Anmeldedienstes ist nicht zu verstehen.",
        "Le service de connexion a donné une réponse incompréhensible.",
        "El servicio de acceso dio una respuesta que no se entiende.",
    )


class CompanionBusy(CompanionUnavailable):
    """The companion was asked too often (429). Until its wait is over it is not asked again.

    Attributes:
        retry_after: Seconds to wait.
    """

    code = "companion_busy"
    _WAIT: Final = Phrase(
        "The sign-in service is busy. Please try again in {seconds} s.",
        "Der Anmeldedienst ist ausgelastet. Bitte versuchen Sie es in {seconds} s noch einmal.",
        "Le service de connexion est occupé. Veuillez réessayer dans {seconds} s.",
        "El servicio de acceso está ocupado. Inténtelo de nuevo en {seconds} s.",
    )

    def __init__(self, retry_after: int) -> None:
        super().__init__()
        self.retry_after = retry_after
        self.message = self.words()
        self.args = (self.message,)

    def words(self, locale: str | None = None) -> str:
        """`message` in the language of `locale`."""
        return self._WAIT.text(locale).format(seconds=self.retry_after)


class HostCredentialRefused(AuthError):
    """`STREAMLIT_SECRET` differs from the companion's. It says nothing about the person."""

    code = "invalid_host_credential"

    def __init__(self) -> None:
        super().__init__(
            "This app is not known to the sign-in service: "
            "STREAMLIT_SECRET must be the same on both sides."
        )


class TicketRefused(AuthError):
    """The ticket is unknown, spent, expired, or not for this session or origin: alike."""

    code = "invalid_ticket"
    _PHRASE = Phrase(
        "The sign-in could not be completed. Please try again.",
        "Die Anmeldung konnte nicht abgeschlossen werden. Bitte versuchen Sie es erneut.",
        "La connexion n’a pas pu aboutir. Veuillez réessayer.",
        "No se pudo completar el inicio de sesión. Inténtelo de nuevo.",
    )

    def __init__(self) -> None:
        super().__init__(self._PHRASE.en)


class TooManyAttempts(AuthError):
    """This Streamlit session asked for more logins than a person makes."""

    code = "too_many_attempts"
    _PHRASE = Phrase(
        "Too many sign-in attempts in a short time. Please wait a few seconds.",
        "Zu viele Anmeldeversuche in kurzer Zeit. Bitte warten Sie einige Sekunden.",
        "Trop de tentatives de connexion en peu de temps. Veuillez patienter quelques secondes.",
        "Demasiados intentos de acceso en poco tiempo. Espere unos segundos.",
    )

    def __init__(self) -> None:
        super().__init__(self._PHRASE.en)


class FrameError(AuthError):
    """The component in the browser reports that it could not do its part."""

    code = "frame_error"

    _WORDS: Final = {
        "companion_unreachable": "The sign-in service cannot be reached from your browser.",
        "companion_silent": "The sign-in service does not answer in your browser.",
        "login_refused": "The sign-in was refused.",
        "provider_unavailable": "The identity provider cannot be reached at the moment.",
        "unknown_host_origin": (
            "This app's address is not registered with the sign-in service (STREAMLIT_ORIGINS)."
        ),
    }

    def __init__(self, code: str) -> None:
        super().__init__(
            self._WORDS.get(code, "The sign-in did not work. Please try again."), code=code
        )


class NotSignedIn(AuthError):
    """Nobody is signed in (any more).

    Attributes:
        reason: Why not any more; None where nobody was.
    """

    code = "not_signed_in"
    reason: SignOutReason | None = None
    _PHRASE: Phrase | None = Phrase(
        "Please sign in first.",
        "Bitte melden Sie sich zuerst an.",
        "Veuillez d’abord vous connecter.",
        "Inicie sesión primero.",
    )

    def __init__(self, message: str = "Please sign in first.") -> None:
        super().__init__(message)


class SessionEnded(NotSignedIn):
    """The person's session has ended; `reason` tells why."""

    code = "session_ended"
    reason: SignOutReason

    def __init__(self, reason: str = SignOutReason.UNKNOWN) -> None:
        self.reason = SignOutReason.read(reason)
        super().__init__(self.reason.words())

    def words(self, locale: str | None = None) -> str:
        """The reason in the language of `locale`."""
        return self.reason.words(locale)


class ReauthenticationRequired(NotSignedIn):
    """The access token expired and cannot be renewed: the person must sign in again."""

    code = "reauthentication_required"
    reason: SignOutReason = SignOutReason.REAUTHENTICATION_REQUIRED

    def __init__(self) -> None:
        super().__init__(self.reason.words())

    def words(self, locale: str | None = None) -> str:
        """The reason in the language of `locale`."""
        return self.reason.words(locale)


class Forbidden(AuthError):
    """The person is signed in, but may not do this."""

    code = "forbidden"
    _PHRASE = Phrase(
        "You do not have access to this.",
        "Sie haben darauf keinen Zugriff.",
        "Vous n’y avez pas accès.",
        "No tiene acceso a esto.",
    )

    def __init__(self) -> None:
        super().__init__(self._PHRASE.en)


class TokenRefused(AuthError):
    """This audience is not configured, or this scope was not granted."""

    code = "token_refused"

    _WORDS: Final = {
        "audience_not_allowed": (
            "No access token for this audience: the companion's AUTH0_AUDIENCE and "
            "EXTRA_AUDIENCES do not name it."
        ),
        "scope_not_granted": "No access token for this scope: it was not granted at sign-in.",
    }

    def __init__(self, code: str) -> None:
        super().__init__(
            self._WORDS.get(code, "The sign-in service refused to issue this access token."),
            code=code,
        )


class ForeignOrigin(AuthError):
    """A request was about to leave the origin that the access token is pinned to."""

    code = "foreign_origin"

    def __init__(self, pinned: str) -> None:
        super().__init__(
            f"This client sends requests to {pinned} only. "
            "Make another client with session.api(base_url) for another service."
        )


class ProviderUnavailable(AuthError):
    """The OpenID Provider cannot be reached, or is in trouble. Trying again later may help."""

    code = "provider_unavailable"

    def __init__(self) -> None:
        super().__init__("The identity provider cannot be reached. Please try again in a moment.")


class MachineClientRefused(AuthError):
    """The provider refuses this machine-to-machine client: trying again changes nothing.

    `code` is the provider's error code (RFC 6749 §5.2), such as `invalid_client`.
    """

    code = "client_refused"

    _WORDS: Final = {
        "invalid_client": "The provider does not accept this client_id and client_secret.",
        "unauthorized_client": "This client may not use the client credentials grant.",
        "access_denied": "The provider does not authorise this client for the audience or scope.",
        "invalid_scope": "The provider does not grant this client the scope.",
        "invalid_target": "The provider knows no API with this audience.",
        "invalid_request": "The provider does not understand the token request.",
        "unsupported_grant_type": "The provider does not offer the client credentials grant.",
    }

    def __init__(self, code: str) -> None:
        # The code comes from the network: only a known one is repeated.
        known = code if code in self._WORDS else type(self).code
        super().__init__(
            self._WORDS.get(code, "The provider refuses to issue an access token."), code=known
        )
