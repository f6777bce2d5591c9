"""The mail server: whether it lets us in. Nothing is sent, unless somebody asks for it."""

import smtplib
import ssl
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage, mailers

from .examination import PATIENCE, Case, examination
from .finding import Away, Finding, ok, problem, reason, skipped, warning

SMTP = "smtp"


@examination("mail")
def mail(case: Case) -> Iterator[Finding]:
    scheme = (settings.CONFIG.email_url or "").partition(":")[0]
    if not scheme:
        says = "EMAIL_URL is not set: no mail is sent, and a link to choose a new password goes to an operator."
        raise Away(skipped("connection", says, mend_of_asking(case)))
    if not scheme.startswith(SMTP):
        says = "EMAIL_URL prints mail to the console of the server, where nobody gets it."
        raise Away(warning("connection", says, "EMAIL_URL=smtp+tls://user:password@host:587"))
    backend: Any = mailers.create_connection("default")
    backend.timeout = PATIENCE
    try:
        backend.open()
        yield ok("connection", f"{backend.host}:{backend.port} {'lets us in' if backend.username else 'answers'}.")
        if case.mail_to:
            yield sent(backend, case.mail_to)
    except (smtplib.SMTPException, OSError) as error:
        raise Away(failed(backend, error)) from None
    finally:
        backend.close()


def mend_of_asking(case: Case) -> str:
    return "EMAIL_URL=smtp+tls://user:password@host:587" if case.mail_to else ""


def failed(backend: Any, error: Exception) -> Finding:
    where = f"{backend.host}:{backend.port}"
    if isinstance(error, smtplib.SMTPAuthenticationError):
        says = f"{where} does not take our user and password ({error.smtp_code})."
        return problem("connection", says, "Mend user and password in EMAIL_URL; special characters as %23 for #")
    if isinstance(error, smtplib.SMTPNotSupportedError):
        says = f"{where} does not offer what EMAIL_URL asks for: {reason(error)}."
        return problem(
            "connection", says, "smtp+tls:// is STARTTLS (587), smtps:// is TLS at once (465), smtp:// none"
        )
    if isinstance(error, ssl.SSLCertVerificationError):
        says = f"The certificate of {where} is not valid: {error.verify_message}."
        return problem("connection", says, "The host's name in EMAIL_URL as in its certificate, or SSL_CERT_FILE")
    says = f"{where} cannot be used: {reason(error)}."
    return problem("connection", says, "Mend host, port and scheme in EMAIL_URL, or start the mail server")


def sent(backend: Any, address: str) -> Finding:
    text = f"manage.py doctor sent this from {settings.CONFIG.origin}. Mail arrives.\n"
    message = EmailMessage("Concierge: a test", text, settings.DEFAULT_FROM_EMAIL, [address])
    try:
        backend.send_messages([message])
    except smtplib.SMTPException as error:
        says = f"It takes no mail from {settings.DEFAULT_FROM_EMAIL} to {address}: {reason(error)}."
        return problem("message", says, "CONCIERGE_EMAIL_FROM to an address that it sends for")
    return ok("message", f"It took a message to {address}; whether that arrives is seen there.")
