"""Templates of letters: by kind and language, in files that an operator can replace one by one."""

from gql_app.lib.mail_templates.files import Folder
from gql_app.lib.mail_templates.templates import MailTemplates, Rendered

__all__ = ["Folder", "MailTemplates", "Rendered"]
