"""What several parts of the page are made of."""

from collections.abc import Callable
from typing import Any

from nicegui import ui


def icon_button(icon: str, says: str, action: Callable[[], Any] | None = None, size: str = "sm") -> Any:
    """A button that is an icon; what it does is its tooltip, and its name for those who cannot see it."""
    button: Any = ui.button(icon=icon, on_click=action).props(f"flat dense round size={size}")
    button.props["aria-label"] = says
    with button:
        button.hint = ui.tooltip(says)
    return button


def rename(button: Any, says: str, icon: str) -> None:
    """Let an icon button mean something else now."""
    button.props.update({"icon": icon, "aria-label": says})
    button.hint.text = says
