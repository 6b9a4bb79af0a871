export function work(rounds: number): void
