# The example hello.mjs. Build it from the folder examples, as README.md shows.
FROM node:22-slim
ARG VERSION="0.1.0"
WORKDIR /app
RUN npm install --no-audit --no-fund pipevideo@"$VERSION" \
    && npm cache clean --force \
    && install --directory --owner=node /videos
COPY node/hello.mjs ./
# The user `node` of the image.
USER 1000
WORKDIR /videos
CMD ["node", "/app/hello.mjs"]
