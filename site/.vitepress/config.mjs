// The site's settings. Its pages are staged in .content by build.mjs, each where it is in the repository.
import { defineConfig } from 'vitepress';

/** Where the site is published; GitHub Pages puts a project's site into a folder of its name. */
const base = process.env.SITE_BASE ?? '/';

/** The address of a heading, as GitHub makes it. */
const githubSlug = (title) =>
  title
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');

const page = (text, name) => ({ text, link: `/docs/${name}` });

export default defineConfig({
  title: 'Equipoise',
  description:
    'Sparse adversarial training, adversarial attacks and robustness evaluation, in TypeScript on TensorFlow.js',
  base,
  srcDir: '.content',
  outDir: 'dist',
  cleanUrls: false,
  lastUpdated: false,
  // A page may name types and tags: nothing in the repository's pages is meant as HTML or as a Vue template.
  markdown: {
    html: false,
    anchor: { slugify: githubSlug },
    // The usual colours of code have too little contrast on the theme's grey.
    theme: { light: 'github-light-high-contrast', dark: 'github-dark-high-contrast' },
    config: ({ renderer, utils }) => {
      renderer.rules.text = (tokens, i) => utils.escapeHtml(tokens[i].content).replaceAll('{{', '&#123;&#123;');
    },
  },
  head: [
    [
      'style',
      {},
      // The theme's own colour of a code block's language has too little contrast, and its search button shows a key that its name for
      // screen readers lacks.
      ':root { --vp-code-lang-color: var(--vp-c-text-2); } .DocSearch-Button-Keys { display: none !important; }',
    ],
  ],
  themeConfig: {
    search: {
      provider: 'local',
      // The API has many more sections than the docs, so each counts less: a flag is found where it is explained first.
      options: {
        miniSearch: { searchOptions: { boostDocument: (section) => (section.includes('/api/') ? 0.2 : 1) } },
      },
    },
    outline: [2, 3],
    nav: [
      { text: 'Docs', link: '/docs/' },
      { text: 'API', link: '/api/' },
      { text: 'Playground', link: '/playground/', target: '_self' },
      { text: 'Example report', link: '/report/', target: '_self' },
    ],
    sidebar: [
      {
        text: 'Train',
        items: [
          page('Command line', 'command-line'),
          page('Training', 'training'),
          page('Recipes', 'recipes'),
          page('Sparsity', 'sparsity'),
          page('Objectives', 'objectives'),
          page('AGENT', 'agent'),
          page('Optimizers', 'optimizers'),
          page('Sweeps', 'sweeps'),
          page('Many machines', 'many-machines'),
          page('Clusters', 'clusters'),
          page('Data', 'data'),
          page('Models', 'models'),
          page('Runs and files', 'runs-and-files'),
        ],
      },
      {
        text: 'Evaluate',
        items: [
          page('Evaluation', 'evaluation'),
          page('Which attack', 'which-attack'),
          page('Adaptive attacks', 'adaptive-attacks'),
          page('Attacks', 'attacks'),
          page('Pitfalls', 'evaluation-pitfalls'),
          page('Alarms', 'alarms'),
          page('Certification', 'certification'),
          page('Zoo', 'zoo'),
          page('Models from elsewhere', 'foreign-models'),
          page('Reports', 'reporting'),
          page('Exporting and importing', 'exporting'),
        ],
      },
      {
        text: 'Program',
        items: [
          page('Library', 'library'),
          { text: 'API reference', link: '/api/' },
          page('Backends', 'backends'),
          page('Engine', 'engine'),
          page('Ops', 'ops'),
          page('Core', 'core'),
        ],
      },
      {
        text: 'Results',
        items: [page('Results', 'results'), page('Performance', 'performance'), page('Study plan', 'study-plan')],
      },
      {
        text: 'Contribute',
        items: [
          { text: 'Contributing', link: '/CONTRIBUTING' },
          page('Adding an attack', 'adding-an-attack'),
          page('Adding a method', 'adding-a-method'),
          page('Adding an objective', 'adding-an-objective'),
          page('Adding a model', 'adding-a-model'),
          page('Adding a data set', 'adding-a-dataset'),
          page('Adding a kernel', 'adding-a-kernel'),
          page('Adding a backend', 'adding-a-backend'),
          page('Adding a format', 'adding-a-format'),
          page('Adding an alarm', 'adding-an-alarm'),
          page('Adding a command', 'adding-a-command'),
          page('Adding a flag', 'adding-a-flag'),
          page('Architecture', 'architecture'),
          { text: 'Changes', link: '/CHANGELOG' },
        ],
      },
    ],
    footer: { message: 'Licence: Apache-2.0' },
  },
});
