export default {
  // A folder with all that the server needs, for a small image.
  output: 'standalone',
  serverExternalPackages: ['pipevideo'],
};
