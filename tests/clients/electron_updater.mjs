// Runs electron-updater, with a stand-in for Electron: its window-less parts are Node's, its HTTP executor is that of
// electron-builder. Reads {updater, platform, base, version, folder} and prints what the updater found and fetched, as JSON.
import { createRequire } from "node:module"
import fs from "node:fs"
import http from "node:http"
import Module from "node:module"
import { EventEmitter } from "node:events"
import path from "node:path"

const require = createRequire(path.join(process.cwd(), "run.cjs"))
const autoUpdater = Object.assign(new EventEmitter(), { setFeedURL() {}, checkForUpdates() {} }) // Squirrel's, of macOS
const load = Module._load
Module._load = (name, ...rest) => (name === "electron" ? { autoUpdater } : load(name, ...rest))

const { HttpExecutor, configureRequestUrl, configureRequestOptions } = require("builder-util-runtime")
const updaters = require("electron-updater")

class NodeExecutor extends HttpExecutor {
  createRequest(options, callback) {
    return http.request(options, callback)
  }
  download(url, destination, options) {
    return options.cancellationToken.createPromise((resolve, reject, onCancel) => {
      const request = { headers: options.headers || undefined }
      configureRequestUrl(url, request)
      configureRequestOptions(request)
      const callback = error => (error == null ? resolve(destination) : reject(error))
      this.doDownload(request, { destination, options, onCancel, callback, responseHandler: null }, 0)
    })
  }
}

const { updater: kind, platform, base, version, folder } = JSON.parse(process.argv[1])
const app = {
  version,
  name: "player",
  isPackaged: true,
  appUpdateConfigPath: path.join(folder, "app-update.yml"),
  userDataPath: folder,
  baseCachePath: path.join(folder, "cache"),
  whenReady: () => Promise.resolve(),
  relaunch() {},
  quit() {},
  onQuit() {},
}
const config = `provider: generic\nurl: ${base}\nupdaterCacheDirName: player-updater\n` // as electron-builder writes it
fs.writeFileSync(app.appUpdateConfigPath, config)
const updater = new updaters[kind](null, app)
updater.httpExecutor = new NodeExecutor()
updater._testOnlyOptions = { platform, isUseDifferentialDownload: false }
updater.autoDownload = updater.autoInstallOnAppQuit = false
updater.logger = null
updater.on("error", () => {})
let file = null
updater.on("update-downloaded", event => (file = event.downloadedFile))
const { updateInfo, isUpdateAvailable } = await updater.checkForUpdates()
if (isUpdateAvailable) await updater.downloadUpdate()
console.log(JSON.stringify({ version: updateInfo.version, isUpdateAvailable, file }))
process.exit(0)
