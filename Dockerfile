# One image for every process of the gateway; docker-compose.yml says which one a container runs.
FROM node:22-slim AS scripts
WORKDIR /scripts
COPY assets/package.json assets/package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund

FROM python:3.11-slim AS build
WORKDIR /build
COPY requirements.txt .
RUN python -m venv /opt/venv \
    && /opt/venv/bin/pip install --no-cache-dir --disable-pip-version-check -r requirements.txt
COPY assets assets
COPY --from=scripts /scripts/node_modules node_modules
RUN python -m assets.build node_modules

FROM python:3.11-slim
RUN groupadd --gid 10001 malipo \
    && useradd --uid 10001 --gid malipo --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin malipo \
    && install --directory --owner malipo --group malipo --mode 0700 /var/lib/malipo
COPY --from=build /opt/venv /opt/venv
WORKDIR /srv/malipo
COPY app app
COPY --from=build /build/app/web/built app/web/built
COPY migrations migrations
COPY wsgi.py gunicorn.conf.py gunicorn_worker.py ./
RUN /opt/venv/bin/python -m compileall -q app migrations wsgi.py

ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    FLASK_APP=wsgi.py \
    GATEWAY_ENV=production \
    BIND=0.0.0.0:8000 \
    VAR_DIR=/var/lib/malipo
USER malipo
EXPOSE 8000
VOLUME /var/lib/malipo
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health/ready', timeout=4)"]
CMD ["gunicorn", "--config", "gunicorn.conf.py", "wsgi:app"]
