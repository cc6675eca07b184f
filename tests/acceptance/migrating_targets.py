"""Small projects with a database: one that Alembic migrates, one that Django does."""

from collections.abc import Mapping

ALEMBIC_PROJECT = """[project]
name = "shelf"
version = "1.0"
dependencies = ["alembic>=1.13", "sqlalchemy>=2", "pymysql>=1"]

[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"

[tool.setuptools]
packages = ["shelf"]
"""
INI = """[alembic]
script_location = %(here)s/db
prepend_sys_path = .
sqlalchemy.url = sqlite:///shelf.db
"""
ENV = """from alembic import context
from sqlalchemy import create_engine

from shelf.models import Base

url = context.config.get_main_option("sqlalchemy.url")
with create_engine(url).connect() as connection:
    context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()
"""
MODELS = """from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Book(Base):
    __tablename__ = "book"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
"""
MORE_MODELS = MODELS + "    author: Mapped[str | None]\n"
FIRST = '''"""Books."""

import sqlalchemy as sa
from alembic import op

revision = "a1"
down_revision = None


def upgrade():
    op.create_table(
        "book",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("title", sa.String, nullable=False),
    )


def downgrade():
    op.drop_table("book")
'''
SECOND = '''"""Authors."""

import sqlalchemy as sa
from alembic import op

revision = "b2"
down_revision = "a1"


def upgrade():
    op.add_column("book", sa.Column("author", sa.String))
    op.create_index("book_author", "book", ["author"])


def downgrade():
    op.drop_index("book_author", "book")
    op.drop_column("book", "author")
'''
INDEXED_MODELS = MORE_MODELS.replace(
    "    author: Mapped[str | None]", "    author: Mapped[str | None] = mapped_column(index=False)"
).replace("from sqlalchemy.orm", "from sqlalchemy import Index\nfrom sqlalchemy.orm") + (
    '\n    __table_args__ = (Index("book_author", "author"),)\n'
)
BROKEN = SECOND.replace('    op.drop_column("book", "author")\n', "")
ONE_WAY = SECOND[: SECOND.index("def downgrade")] + (
    'def downgrade():\n    raise NotImplementedError("who wrote a book is not forgotten")\n'
)
ALEMBIC: Mapping[str, str] = {
    "pyproject.toml": ALEMBIC_PROJECT,
    "alembic.ini": INI,
    "db/env.py": ENV,
    "db/versions/a1_books.py": FIRST,
    "shelf/__init__.py": "",
    "shelf/models.py": MODELS,
    "tests/test_models.py": (
        "from shelf.models import Book\n\n\ndef test_title():\n    assert Book(title='T').title == 'T'\n"
    ),
}

DJANGO_PROJECT = ALEMBIC_PROJECT.replace(
    '"alembic>=1.13", "sqlalchemy>=2", "pymysql>=1"', '"django>=5,<6"'
).replace('["shelf"]', '["shop", "shop.migrations", "site_settings"]')
MANAGE = """import os
import sys

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site_settings.base")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)
"""
SETTINGS = """SECRET_KEY = "made-up"
INSTALLED_APPS = ["shop"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "shop.db"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
"""
SHOP = """from django.db import models


class Customer(models.Model):
    name = models.CharField(max_length=40)
"""
MORE_SHOP = SHOP + "    email = models.CharField(max_length=80, default='')\n"
INITIAL = """from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [
        migrations.CreateModel(
            name="Customer",
            fields=[
                ("id", models.BigAutoField(primary_key=True, auto_created=True, serialize=False)),
                ("name", models.CharField(max_length=40)),
            ],
        ),
    ]
"""
EMAIL = """from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.AddField("customer", "email", models.CharField(max_length=80, default="")),
    ]
"""
CODE = EMAIL.replace(
    'default="")),\n', 'default="")),\n        migrations.RunPython(lambda apps, editor: None),\n'
)
DJANGO: Mapping[str, str] = {
    "pyproject.toml": DJANGO_PROJECT,
    "manage.py": MANAGE,
    "site_settings/__init__.py": "",
    "site_settings/base.py": SETTINGS,
    "shop/__init__.py": "",
    "shop/models.py": SHOP,
    "shop/migrations/__init__.py": "",
    "shop/migrations/0001_initial.py": INITIAL,
    "tests/test_shop.py": "import shop\n\n\ndef test_shop():\n    assert shop\n",
}
