/** Beside the configuration file. */
export const SCHEMA_FILE = 'purser.config.schema.json'

/**
 * The file that `purser init` writes: what a first start does anyway, and the options that are changed first, switched off
 * by a name that begins with `//`.
 */
export const SAMPLE_CONFIG: object = {
  $schema: `./${SCHEMA_FILE}`,
  '//': 'Members whose name begins with // are ignored: comments, or options that are switched off.',
  '//store': 'sqlite:PATH on one machine; postgres://… or redis://… for several, which need a secretKey.',
  store: 'sqlite:data/purser.db',
  '//secretKey': ['Make one with: openssl rand -base64 32', { secretKey: '$' + '{PURSER_SECRET_KEY}' }],
  '//timeZone': 'The zone of users without one of their own, for their days and their prompts.',
  timeZone: 'UTC',
  '//providers': [
    'Without any provider the built-in one answers. Give yours a key from the environment, and list its models.',
    { openai: { kind: 'openai', apiKey: '$' + '{OPENAI_API_KEY}', models: ['gpt-5', 'gpt-5-mini'] } },
    { local: { kind: 'openai-compatible', baseURL: 'http://127.0.0.1:9100/v1', apiKey: '', models: ['m'] } },
  ],
  providers: { demo: { kind: 'demo' } },
  '//runtime': 'What users run on who have no settings of their own.',
  runtime: { defaults: { provider: 'demo' } },
  context: {
    '//sources': [
      'Where profile and recent actions come from; by default what was stored with the API.',
      { profile: { url: 'http://127.0.0.1:9200/profile', method: 'POST', body: { user_id: '{user}' } } },
    ],
    '//budgetMs': 'The longest that a turn waits for them.',
    budgetMs: 1_500,
  },
  ledger: {
    '//dailyCap': 'Turns of a user per day; 0 is no limit.',
    dailyCap: 0,
    '//limits': [
      'Further limits, on turns, tokens, money or turns at a time.',
      { name: 'tokens', measure: 'tokens', max: 200_000, window: 'day', alertAt: [0.8] },
    ],
  },
  '//answers': 'Whether equal questions of one user are answered from the cache.',
  answers: { enabled: false },
  server: {
    '//host': 'Any other address than loopback is refused until there is a key.',
    host: '127.0.0.1',
    port: 7_117,
    '//publicUrl': 'https://purser.example',
  },
}
