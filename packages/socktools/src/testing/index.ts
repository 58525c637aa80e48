export { memoryDatagrams, type DatagramWeather } from '../net/memory-datagrams.ts'
export { memory, type Weather } from '../net/memory.ts'
export { SimPlatform } from './sim-platform.ts'
export {
  type CrashKind,
  diskError,
  SimDisk,
  type SimDiskOptions,
  type DiskStep,
  type DiskStepKind,
} from './sim-disk.ts'
