export { type ChaosOptions, type ChaosStore, chaosStore } from './chaos-store.ts'
export { type HandClock, handClock } from './hand-clock.ts'
export { type StoreContractOptions, storeContract } from './store-contract/index.ts'
