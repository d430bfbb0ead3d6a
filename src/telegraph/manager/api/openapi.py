"""What the OpenAPI document of a manager says besides its calls."""

from typing import Final

from telegraph.protocol import manager_api
from telegraph.rest.openapi import Description

_STRUCTS: Final = (
    manager_api.RegisterRequest,
    manager_api.LoginRequest,
    manager_api.HeartbeatRequest,
    manager_api.ReconnectRequest,
    manager_api.PasswordRequest,
    manager_api.CertificateRequest,
    manager_api.CertificateAnswer,
    manager_api.PasswordProof,
    manager_api.SettingsChange,
    manager_api.SettingsAnswer,
    manager_api.SessionsAnswer,
    manager_api.Answer,
    manager_api.ErrorAnswer,
    manager_api.Registered,
    manager_api.LoggedIn,
    manager_api.UserAnswer,
    manager_api.UsersAnswer,
    manager_api.Health,
    manager_api.ReachableAnswer,
)

DESCRIPTION: Final = Description(
    title="Telegraph identity manager",
    summary="Accounts, presence and addresses (report, Table 1). Errors: {message, status, error}.",
    structs=_STRUCTS,
    security=("session", "token of a log-in"),
    optional_bodies=("/users/reconnect/{ip}/{username}",),
)
