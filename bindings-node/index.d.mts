export * from './index.js';
export { Pipevideo as default } from './index.js';
