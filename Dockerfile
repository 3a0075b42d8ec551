# The product: web, worker, beat and manage.py are this one image with different commands.
FROM python:3.13-slim-bookworm AS packages
COPY requirements /requirements
# The SDKs to install beside AWS's: --build-arg CLOUDS="azure gcp ibm".
ARG CLOUDS=""
# Wheels only, but for the one package that has none.
RUN python -m venv /venv \
    && /venv/bin/pip install --no-cache-dir --disable-pip-version-check \
        --only-binary :all: --no-binary django-timescaledb -r /requirements/base.txt \
        $(for cloud in $CLOUDS; do echo "-r /requirements/$cloud.txt"; done)

FROM python:3.13-slim-bookworm
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    DJANGO_SETTINGS_MODULE=governance.settings.prod
RUN useradd --system --uid 10001 --no-create-home --home-dir /nonexistent desk && install -d -m 700 -o desk /keys
COPY --from=packages /venv /venv
WORKDIR /app
COPY manage.py ./
COPY governance governance
COPY apps apps
COPY templates templates
COPY static static
COPY deploy deploy
COPY .ci/production.env /tmp/production.env
# The settings ask for every variable by name; these made-up values end with this step.
RUN set -a && . /tmp/production.env && set +a && python manage.py collectstatic --no-input && rm /tmp/production.env
USER desk
EXPOSE 8000
CMD ["gunicorn", "--bind=0.0.0.0:8000", "--worker-class=gthread", "--workers=2", "--threads=4", \
     "--worker-tmp-dir=/dev/shm", "--no-control-socket", "--access-logfile=-", "governance.wsgi:application"]
