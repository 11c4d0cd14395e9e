import { useSearchParams } from 'wouter'

/** One parameter of the address, '' where there is none. A change leaves no entry behind in the history. */
export function useParam(name: string): [value: string, change: (value: string) => void] {
  const [params, setParams] = useSearchParams()
  function change(value: string): void {
    setParams(
      (before) => {
        const next = new URLSearchParams(before)
        if (value === '') next.delete(name)
        else next.set(name, value)
        return next
      },
      { replace: true },
    )
  }
  return [params.get(name) ?? '', change]
}
