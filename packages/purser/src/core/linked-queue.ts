/** Every member is its own list node: adding and removing, which happens with every use, needs no lookup or memory. */
export interface QueueNode<Member> {
  isQueued: boolean
  previous: Member | undefined
  next: Member | undefined
}

/**
 * Members in the order in which they were added: a doubly linked list. A member that is removed refers to no other one,
 * so that garbage does not keep garbage alive (see `core/slot-table.ts`).
 */
export class LinkedQueue<Member extends QueueNode<Member>> {
  #first: Member | undefined
  #last: Member | undefined

  get first(): Member | undefined {
    return this.#first
  }

  /** Appends a member, which must not be queued. */
  add(member: Member): void {
    member.isQueued = true
    member.previous = this.#last
    if (this.#last === undefined) this.#first = member
    else this.#last.next = member
    this.#last = member
  }

  /** No effect when the member is not queued. */
  remove(member: Member): void {
    if (!member.isQueued) return
    const { previous, next } = member
    if (previous === undefined) this.#first = next
    else previous.next = next
    if (next === undefined) this.#last = previous
    else next.previous = previous
    member.isQueued = false
    member.previous = undefined
    member.next = undefined
  }
}
