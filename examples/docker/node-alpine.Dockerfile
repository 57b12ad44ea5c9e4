# The same as node.Dockerfile on Alpine Linux, where npm installs the native module for musl.
FROM node:22-alpine
ARG VERSION="0.1.0"
WORKDIR /app
RUN npm install --no-audit --no-fund pipevideo@"$VERSION" \
    && npm cache clean --force \
    && install -d -o node /videos
COPY node/hello.mjs ./
# The user `node` of the image.
USER 1000
WORKDIR /videos
CMD ["node", "/app/hello.mjs"]
