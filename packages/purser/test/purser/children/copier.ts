import { copyStore } from '../../../src/copy-store.ts'
import { printLine } from '../../drivers/children/print-line.ts'

/** Copies a store into another, and prints the number of copied rows after each page. */
const [from = '', to = '', secretKey = ''] = process.argv.slice(2)
await copyStore({ from, to, secretKey, onProgress: ({ step, rows }) => printLine(`${step} ${rows}`) })
