import js from '@eslint/js';

// ESLint runs in the repository's root, so that it covers the examples and the emulator's page as well.

const node = [
  'AbortController',
  'AbortSignal',
  'Buffer',
  'DOMException',
  'Headers',
  'ReadableStream',
  'Request',
  'Response',
  'URL',
  'URLSearchParams',
  'WritableStream',
  'console',
  'fetch',
  'performance',
  'process',
  'setImmediate',
  'setInterval',
  'setTimeout',
  'clearInterval',
  'clearTimeout',
  'structuredClone',
];

export default [
  { ignores: ['**/node_modules', '**/*.mts'] },
  js.configs.recommended,
  {
    languageOptions: { globals: Object.fromEntries(node.map((name) => [name, 'readonly'])) },
    rules: { eqeqeq: 'error', 'no-var': 'error', 'prefer-const': 'error' },
  },
  {
    files: ['**/*.js', '**/*.cjs'],
    languageOptions: { sourceType: 'commonjs', globals: { require: 'readonly', module: 'writable', __filename: 'readonly' } },
  },
  { files: ['examples/node/webhook-next/**/*.js'], languageOptions: { sourceType: 'module' } },
  {
    files: ['emulator/assets/page/*.js'],
    languageOptions: { sourceType: 'script', globals: { document: 'readonly', EventSource: 'readonly' } },
  },
];
