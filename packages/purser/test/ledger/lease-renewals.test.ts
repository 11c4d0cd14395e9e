import assert from 'node:assert/strict'
import { it } from 'node:test'
import { LeaseRenewals, type RenewableLease } from '../../src/ledger/lease-renewals.ts'
import { handClock } from '../../src/testing/hand-clock.ts'

const LEASE_MS = 30_000

class Lease implements RenewableLease {
  isQueued = false
  previous: RenewableLease | undefined
  next: RenewableLease | undefined
  renewAt = 0
  renewals = 0

  renew(): void {
    this.renewals++
  }
}

it('leases are renewed three times each until they are removed, whenever they were added', () => {
  const clock = handClock()
  const renewals = new LeaseRenewals(clock, LEASE_MS)
  const leases = Array.from({ length: 5 }, () => new Lease())
  const counts = (): number[] => leases.map((lease) => lease.renewals)
  for (const lease of leases) {
    renewals.add(lease)
    clock.advance(1_000)
  }
  clock.advance(4_999)
  assert.deepEqual(counts(), [0, 0, 0, 0, 0])
  clock.advance(1)
  assert.deepEqual(counts(), [1, 0, 0, 0, 0])
  clock.advance(2_000)
  assert.deepEqual(counts(), [1, 1, 1, 0, 0])
  renewals.remove(leases[0] as Lease)
  renewals.remove(leases[3] as Lease)
  clock.advance(20_000)
  assert.deepEqual(counts(), [1, 3, 3, 0, 2])
  for (const lease of leases) renewals.remove(lease)
  clock.advance(LEASE_MS)
  const late = new Lease()
  renewals.add(late)
  clock.advance(LEASE_MS)
  assert.deepEqual([counts(), late.renewals], [[1, 3, 3, 0, 2], 3])
  renewals.close()
  clock.advance(LEASE_MS)
  assert.equal(late.renewals, 3)
})
