"""Pages for people: one shell, one style sheet, one contact sheet, one encoder of pictures."""
