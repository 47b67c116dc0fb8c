"""A site of djaodjin-saas and djaodjin-signup and nothing else, to measure beside.

BENCH_DB=book.db python djaodjin.py 100000     makes the book, with so many profiles
BENCH_DB=book.db gunicorn -w 2 djaodjin:application
"""

import os
import sys

import django
import django.utils.encoding
from django.conf import settings

# django-fernet-fields 0.6 asks for it by the name it had before Django 4.
django.utils.encoding.force_text = django.utils.encoding.force_str

settings.configure(
    ALLOWED_HOSTS=["*"],
    AUTHENTICATION_BACKENDS=["django.contrib.auth.backends.ModelBackend"],
    AUTH_USER_MODEL="auth.User",
    BASE_DIR="broker",
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ["BENCH_DB"]}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    DEFAULT_FROM_EMAIL="bench@localhost",
    FERNET_KEYS=["bench"],
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.messages",
        "django.contrib.sessions",
        "django.contrib.sites",
        "rest_framework",
        "saas",
        "signup",
    ],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ],
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": ["signup.authentication.JWTAuthentication"],
        "DEFAULT_PAGINATION_CLASS": "rest_framework.pagination.PageNumberPagination",
        "ORDERING_PARAM": "o",
        "PAGE_SIZE": 25,
        "SEARCH_PARAM": "q",
    },
    ROOT_URLCONF="djaodjin",
    SAAS={"BROKER": {"GET_INSTANCE": "broker"}},
    SAAS_ORGANIZATION_MODEL="saas.Organization",
    SECRET_KEY="of no use outside of a measurement",
    SITE_ID=1,
    STATIC_URL="/static/",
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
    TIME_ZONE="UTC",
    USE_TZ=True,
)
django.setup()

NAMES = ["Lindqvist", "Okafor", "Villanueva", "Sugimoto", "Thornton", "Raghavan", "Boisvert", "Petersen"]


def profile(number):
    """A profile like those that `bench fill` makes."""
    from saas.models import Organization

    name = NAMES[number % len(NAMES)]
    return Organization(
        slug=f"bench-{number:010}",
        full_name=f"{name} Trading {number:010}",
        email=f"{name.lower()}.{number:010}@example.com",
        phone="+12065550100",
        street_address="14 Marina Road",
        locality="Lagos",
        postal_code="101241",
        country="NG",
        processor_id=1,
    )


def fill(number):
    """Makes the tables, a broker whose manager is `bench` with the password `bench password`, and so many profiles."""
    from django.contrib.auth import get_user_model
    from django.core.management import call_command
    from saas.models import Organization, Role, RoleDescription

    call_command("migrate", verbosity=0, run_syncdb=True)
    Organization.objects.bulk_create(
        [Organization(pk=1, slug="processor", full_name="Processor", processor_id=1)]
    )
    broker = Organization.objects.create(
        slug="broker", full_name="Broker", email="broker@example.com", is_provider=True
    )
    manager_user = get_user_model().objects.create_user("bench", "bench@example.com", "bench password")
    manager, _ = RoleDescription.objects.get_or_create(
        slug="manager", organization=None, defaults={"title": "Managers"}
    )
    Role.objects.create(organization=broker, user=manager_user, role_description=manager)
    Organization.objects.bulk_create(map(profile, range(number)), batch_size=5000)


if __name__ == "__main__":
    fill(int(sys.argv[1]))
else:
    from django.core.wsgi import get_wsgi_application
    from django.urls import include, path

    urlpatterns = [
        path("api/", include("saas.urls.api")),
        path("api/", include("signup.urls.api")),
    ]
    application = get_wsgi_application()
