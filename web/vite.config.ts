import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  plugins: [svelte()],
  base: '/',
  build: {
    outDir: '../src/telegraph/node/web',
    emptyOutDir: true,
    target: 'es2022',
    modulePreload: { polyfill: false }, // every browser of es2022 has it
    assetsInlineLimit: 0, // fonts and images come from this node, not from data: in a style sheet
    reportCompressedSize: true,
  },
  server: { proxy: { '/api': { target: 'http://127.0.0.1:8420', ws: true } } },
  test: { include: ['src/**/*.test.ts'], environment: 'node' },
});
