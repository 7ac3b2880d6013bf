"""Sign-in for Streamlit apps with Auth0 or any OpenID Connect provider.

import streamlit as st
import streamlit_component_auth0 as auth0

session = auth0.require_login()
st.write(f"Hello {session.user.name}")
"""

from __future__ import annotations

from ._actions import ActionResult
from ._allowed_request import AllowedRequest
from ._component import current_session, last_error, login, logout, sign_out_reason, status
from ._component_event import ComponentEvent
from ._component_host import ComponentHost, run_component
from ._exceptions import (
    AuthError,
    CompanionAnswerInvalid,
    CompanionBusy,
    CompanionUnavailable,
    Forbidden,
    ForeignOrigin,
    FrameError,
    HostCredentialRefused,
    MachineClientRefused,
    NotSignedIn,
    ProviderUnavailable,
    ReauthenticationRequired,
    SessionEnded,
    SettingsError,
    TicketRefused,
    TokenRefused,
    TooManyAttempts,
    UsageError,
)
from ._guards import protected, require_login
from ._machine import M2MClient
from ._mailbox import EventReport
from ._navigation import navigation
from ._reasons import SignOutReason
from ._session import Session
from ._settings import Settings
from ._streamlit import app_settings as settings
from ._user import User
from ._user_menu import user_menu

__all__ = [
    "ActionResult",
    "AllowedRequest",
    "AuthError",
    "CompanionAnswerInvalid",
    "CompanionBusy",
    "CompanionUnavailable",
    "ComponentEvent",
    "ComponentHost",
    "EventReport",
    "Forbidden",
    "ForeignOrigin",
    "FrameError",
    "HostCredentialRefused",
    "M2MClient",
    "MachineClientRefused",
    "NotSignedIn",
    "ProviderUnavailable",
    "ReauthenticationRequired",
    "Session",
    "SessionEnded",
    "Settings",
    "SettingsError",
    "SignOutReason",
    "TicketRefused",
    "TokenRefused",
    "TooManyAttempts",
    "UsageError",
    "User",
    "current_session",
    "last_error",
    "login",
    "logout",
    "navigation",
    "protected",
    "require_login",
    "run_component",
    "settings",
    "sign_out_reason",
    "status",
    "user_menu",
]
