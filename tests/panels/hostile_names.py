"""Names that a panel must escape, as a spreadsheet's formula and as markup."""

EVIL = "<img src=x onerror=alert(1)> & co"
EVIL_COMPOUND = "=staurosporine<b>"
