import js from '@eslint/js';

const node = [
  'AbortController',
  'AbortSignal',
  'Buffer',
  'DOMException',
  'Headers',
  'Request',
  'Response',
  'URL',
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
  { ignores: ['node_modules', 'benches/node_modules', 'npm'] },
  js.configs.recommended,
  {
    languageOptions: { globals: Object.fromEntries(node.map((name) => [name, 'readonly'])) },
    rules: { eqeqeq: 'error', 'no-var': 'error', 'prefer-const': 'error' },
  },
  {
    files: ['**/*.js', '**/*.cjs'],
    languageOptions: { sourceType: 'commonjs', globals: { require: 'readonly', module: 'writable' } },
  },
];
