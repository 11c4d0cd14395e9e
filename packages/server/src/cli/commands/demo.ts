import type { ConfigFile } from '../../config/schema.ts'
import type { Command } from '../command.ts'
import { DEMO_PHASES, DEMO_RISKS } from '../demo-data.ts'
import { startDemoTraffic } from '../demo-traffic.ts'
import { GENERAL_FLAGS, SETTING_FLAGS } from '../flags.ts'
import { serveUntilInterrupted } from './serve.ts'

const USERS = 200

/**
 * The configuration of the demo; only flags take precedence. A configuration file or environment variables would name a
 * real store, into which the demo must not write.
 */
const DEMO_CONFIG: ConfigFile = {
  store: 'memory:',
  ledger: { dailyCap: 40, phases: DEMO_PHASES, riskLevels: DEMO_RISKS },
}

const { config: _, ...FLAGS_WITHOUT_CONFIG } = GENERAL_FLAGS

export const demo: Command = {
  name: 'demo',
  operands: '',
  operandCount: [0, 0],
  summary: `Starts a demo server with a built-in model provider and ${USERS} simulated users.`,
  flags: { ...FLAGS_WITHOUT_CONFIG, ...SETTING_FLAGS },
  run: (invocation) =>
    serveUntilInterrupted(invocation, {
      config: DEMO_CONFIG,
      startBackground: ({ context }) => startDemoTraffic(context, USERS),
    }),
}
