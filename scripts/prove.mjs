// `npm run prove`: the long proofs (crash cycles, histories, model runs) in full, one file after the other.
// `npm test` runs a share of each. Seeds are printed; PURSER_SEED repeats a run.

process.env.PURSER_PROVE = '1'
process.argv.push('--test-concurrency=1')
await import('./test.mjs')
