export { type Chaos, type ChaosStore, chaosStore } from './chaos-store.ts'
export { type HandClock, handClock } from './hand-clock.ts'
export { type StoreUnderTest, storeContract } from './store-contract/index.ts'
