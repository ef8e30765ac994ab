# One target a service: docker build --target ingress|transform|egress .   `make images` builds and examines all three.
# Each image holds Python, the service's own locked dependencies and Causeway; no pip, no compiler, no shell needed.
# What pip brings is the same each time, by hashes; for the same base, too, name it by digest: --build-arg PYTHON=…@sha256:…

ARG PYTHON=python:3.13-slim

FROM ${PYTHON} AS wheel
ENV SOURCE_DATE_EPOCH=315532800
WORKDIR /src
COPY requirements/build.txt requirements/build.txt
RUN pip install --no-cache-dir --disable-pip-version-check --root-user-action ignore --require-hashes -r requirements/build.txt
COPY pyproject.toml README.md LICENSE ./
COPY services services
COPY shared shared
RUN pip wheel --no-cache-dir --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir /wheels .

FROM wheel AS build
RUN python3 -m venv --without-pip /opt/causeway
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_PYTHON=/opt/causeway/bin/python

FROM build AS build-ingress
COPY requirements/ingress.txt requirements/ingress.txt
RUN pip install --require-hashes -r requirements/ingress.txt && pip install --no-deps /wheels/*.whl

FROM build AS build-transform
COPY requirements/transform.txt requirements/transform.txt
RUN pip install --require-hashes -r requirements/transform.txt && pip install --no-deps /wheels/*.whl

FROM build AS build-egress
COPY requirements/egress.txt requirements/egress.txt
RUN pip install --require-hashes -r requirements/egress.txt && pip install --no-deps /wheels/*.whl

FROM ${PYTHON} AS run
ENV PATH=/opt/causeway/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 CAUSEWAY_CONFIG=/etc/causeway/causeway.yaml
ARG VERSION
ARG REVISION
ARG SOURCE
LABEL org.opencontainers.image.description="Coexistence gateway between HCL Domino and Microsoft Exchange" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}"
USER 10001:10001
WORKDIR /tmp
STOPSIGNAL SIGTERM
EXPOSE 9100
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s \
    CMD ["python", "-ISc", "import http.client, sys; it = http.client.HTTPConnection('127.0.0.1', 9100, timeout=4); \
it.request('GET', '/livez'); sys.exit(it.getresponse().status != 200)"]

FROM run AS ingress
LABEL org.opencontainers.image.title="Causeway ingress"
COPY --from=build-ingress /opt/causeway /opt/causeway
EXPOSE 2525
ENTRYPOINT ["python", "-m", "services.ingress"]

FROM run AS transform
LABEL org.opencontainers.image.title="Causeway transform"
COPY --from=build-transform /opt/causeway /opt/causeway
ENTRYPOINT ["python", "-m", "services.transform"]

FROM run AS egress
LABEL org.opencontainers.image.title="Causeway egress"
COPY --from=build-egress /opt/causeway /opt/causeway
ENTRYPOINT ["python", "-m", "services.egress"]
