() => {
  // What the page's own parts cannot do: a brush on the plot, words that are buttons, and the state in the link.
  const tell = (name, value) => {
    window.undertoneTold = JSON.stringify(value)
    document.querySelector(`#${name}`)?.click()
  }
  document.addEventListener("click", (event) => {
    const button = event.target.closest("#explore [data-add], #explore [data-complete]")
    if (!button) return
    const kind = button.dataset.kind
    if (button.dataset.add) tell("explore-add", { term: button.dataset.add, kind })
    else tell("explore-completed", { term: button.dataset.complete, kind })
  })
  let watched = null
  setInterval(() => {
    const plot = document.querySelector("#explore-plot .js-plotly-plot")
    if (!plot || plot === watched || !plot.on) return
    watched = plot
    plot.on("plotly_relayout", (change) => {
      const names = Object.keys(change)
      const begin = names.find((name) => /^xaxis\d*\.range\[0\]$/.test(name))
      if (begin) {
        const end = begin.replace("[0]", "[1]")
        tell("explore-brush", { first: String(change[begin]), last: String(change[end]) })
      } else if (names.some((name) => /^xaxis\d*\.autorange$/.test(name))) tell("explore-brush", { whole: true })
    })
  }, 500)
}
