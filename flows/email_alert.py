"""A notification block of Prefect that sends e-mail by any SMTP server.

Prefect's own blocks send it by services of others alone. `prefect block register -m flows.email_alert` shows it on
Prefect's page.
"""

from __future__ import annotations

import asyncio
import smtplib
from email.message import EmailMessage

from prefect.blocks.abstract import NotificationBlock
from pydantic import Field, SecretStr

SECONDS = 30.0
"""That a server may take."""


class EmailAlert(NotificationBlock):
    """An e-mail to people, by an SMTP server."""

    _block_type_name = "E-mail alert"
    _block_type_slug = "email-alert"

    host: str = Field(description="The SMTP server.")
    port: int = Field(default=587, description="Its port.")
    starttls: bool = Field(default=True, description="Whether to encrypt: false for a server of this machine alone.")
    user: str | None = Field(default=None, description="Who sends, where the server asks.")
    password: SecretStr | None = Field(default=None, description="And the password.")
    sender: str = Field(description="The address that the mail comes from.")
    to: list[str] = Field(description="Who is told.")

    async def notify(self, body: str, subject: str | None = None) -> None:
        """Send it; raises OSError or SMTPException where the server does not take it."""
        await asyncio.to_thread(self._send, body, subject)

    def _send(self, body: str, subject: str | None) -> None:
        mail = EmailMessage()
        mail["From"], mail["To"] = self.sender, ", ".join(self.to)
        # A header holds one line.
        mail["Subject"] = " ".join((subject or "Sightline").split())
        mail.set_content(body)
        with smtplib.SMTP(self.host, self.port, timeout=SECONDS) as server:
            if self.starttls:
                server.starttls()
            if self.user is not None and self.password is not None:
                server.login(self.user, self.password.get_secret_value())
            server.send_message(mail)
