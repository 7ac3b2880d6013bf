// Closes the popup once its work is done. A window that a person opened stays: browsers
// let scripts close only what scripts opened, and the page says so in words.
window.close();
