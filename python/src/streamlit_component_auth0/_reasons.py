"""Why a session ended, as the companion tells it, and in words for the person."""

from __future__ import annotations

from enum import Enum
from typing import Final

from ._locale import Phrase


class SignOutReason(str, Enum):
    """Why nobody is signed in any more. Equal to its name on the wire."""

    SIGNED_OUT = "signed_out"
    """The person signed out: here, in the component, or in another tab or app."""
    PROVIDER_LOGOUT = "provider_logout"
    """The provider ended the session (Back-Channel Logout)."""
    EXPIRED = "expired"
    """The session's lifetime is over."""
    REPLACED = "replaced"
    """Another sign-in in that browser took its place."""
    REFRESH_REFUSED = "refresh_refused"
    """The provider refused to renew the access."""
    REAUTHENTICATION_REQUIRED = "reauthentication_required"
    """The access token expired, and there was no refresh token to renew it with."""
    UNKNOWN = "unknown"
    """It ended, and nothing more is known of it."""

    @classmethod
    def read(cls, name: str) -> SignOutReason:
        """The reason of that name; one that this version does not know is `UNKNOWN`."""
        try:
            return cls(name)
        except ValueError:
            return cls.UNKNOWN

    def words(self, locale: str | None = None) -> str:
        """The reason for the person to read.

        Args:
            locale: Language tag. English, German, French and Spanish are spoken; all others
                (and None) get English.
        """
        return _WORDS[self].text(locale)

    def __str__(self) -> str:
        # (what Python makes of such an enum differs between 3.11 and 3.12)
        return self.value


_WORDS: Final = {
    SignOutReason.SIGNED_OUT: Phrase(
        "You are signed out.",
        "Sie sind abgemeldet.",
        "Vous êtes déconnecté.",
        "Ha cerrado la sesión.",
    ),
    SignOutReason.PROVIDER_LOGOUT: Phrase(
        "You were signed out by your identity provider.",
        "Ihr Identitätsanbieter hat Sie abgemeldet.",
        "Votre fournisseur d’identité vous a déconnecté.",
        "Su proveedor de identidad ha cerrado su sesión.",
    ),
    SignOutReason.EXPIRED: Phrase(
        "Your session has expired. Please sign in again.",
        "Ihre Sitzung ist abgelaufen. Bitte melden Sie sich erneut an.",
        "Votre session a expiré. Veuillez vous reconnecter.",
        "Su sesión ha caducado. Inicie sesión de nuevo.",
    ),
    SignOutReason.REPLACED: Phrase(
        "Another sign-in in this browser has taken the place of yours.",
        "Eine andere Anmeldung in diesem Browser hat Ihre ersetzt.",
        "Une autre connexion dans ce navigateur a remplacé la vôtre.",
        "Otro inicio de sesión en este navegador ha sustituido al suyo.",
    ),
    SignOutReason.REFRESH_REFUSED: Phrase(
        "Your identity provider no longer renews this session. Please sign in again.",
        "Ihr Identitätsanbieter verlängert diese Sitzung nicht mehr. "
        "Bitte melden Sie sich erneut an.",
        "Votre fournisseur d’identité ne renouvelle plus cette session. Veuillez vous reconnecter.",
        "Su proveedor de identidad ya no renueva esta sesión. Inicie sesión de nuevo.",
    ),
    SignOutReason.REAUTHENTICATION_REQUIRED: Phrase(
        "Your access has expired. Please sign in again.",
        "Ihr Zugang ist abgelaufen. Bitte melden Sie sich erneut an.",
        "Votre accès a expiré. Veuillez vous reconnecter.",
        "Su acceso ha caducado. Inicie sesión de nuevo.",
    ),
    SignOutReason.UNKNOWN: Phrase(
        "Your session has ended. Please sign in again.",
        "Ihre Sitzung ist beendet. Bitte melden Sie sich erneut an.",
        "Votre session est terminée. Veuillez vous reconnecter.",
        "Su sesión ha terminado. Inicie sesión de nuevo.",
    ),
}
