import { useSearchParams } from 'wouter'

/** One search parameter of the URL, '' if absent. Setting it adds no history entry. */
export function useSearchParam(name: string): [value: string, setValue: (value: string) => void] {
  const [params, setParams] = useSearchParams()
  function setValue(value: string): void {
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
  return [params.get(name) ?? '', setValue]
}
