/*
 * Processor time of admissions and of requests to the gateway under ten limits, relative to one; and how many of 100 parallel
 * calls pass a limit of ten. Needs `wrk`.
 *
 *   npm run limits -- [rounds, 15]
 */
import { type Figure, printTable } from './ledger/figures.ts'
import { measureGatewayRules } from './limits/gateway-rules.ts'
import { measureParallelCalls } from './limits/parallel-calls.ts'
import { measureTenRules } from './limits/ten-rules.ts'

const rounds = Number(process.argv[2] ?? 15)
const figures: Figure[] = [
  ...(await measureParallelCalls()),
  ...(await measureTenRules(rounds)),
  await measureGatewayRules(rounds),
]
printTable(figures)
if (figures.some(({ met }) => met === false)) process.exitCode = 1
