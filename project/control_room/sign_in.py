from sessions_app.sign_in_form import SignInForm
from sessions_app.unfolded import AuthenticationForm


class StaffSignInForm(SignInForm, AuthenticationForm):  # type: ignore[misc]  # Any
    """The same for the control room, which lets staff in and nobody else."""
