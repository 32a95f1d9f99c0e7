package Bench::Client;

# Clients that keep many requests under way: HTTP over many connections, each
# pipelined and in order, and Redis over one.

use strict;
use warnings;

use Carp qw(croak);
use Digest::SHA qw(sha1_hex);
use Errno qw(EAGAIN EINTR);
use Exporter qw(import);
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use JSON::PP ();
use Socket qw(IPPROTO_TCP TCP_NODELAY);
use Time::HiRes qw(time);

our @EXPORT = qw(post_text http_drive http_call resp redis_pipe redis_info);

my $json = JSON::PP->new->canonical->utf8;


sub post_text {
    my ($path, $body) = @_;
    return "POST $path HTTP/1.1\r\nHost: localhost\r\n"
        . "Content-Type: application/json\r\nContent-Length: "
        . length($body) . "\r\n\r\n$body";
}


sub tcp {
    my ($port) = @_;
    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port)
        or croak "connect to port $port: $!";
    setsockopt $s, IPPROTO_TCP, TCP_NODELAY, 1;
    return $s;
}


# Sends the requests of every queue over a connection of its own, $depth of
# them under way; dies unless each is answered with 200.  Returns how many.

sub http_drive {
    my ($port, $queues, %opt) = @_;
    my $depth = $opt{depth} || 32;
    my $until = time + ($opt{seconds} || 120);
    my ($select, $all, %c) = (IO::Select->new, 0);

    for my $q (grep { @$_ } @$queues) {
        my $s = tcp($port);
        $s->blocking(0);
        $select->add($s);
        $c{fileno $s} = { s => $s, q => $q, next => 0, done => 0, in => '', out => '' };
    }

    while (%c) {
        croak 'requests unanswered in time' if time > $until;
        for my $c (values %c) {
            my $to = $c->{done} + $depth;
            $to = @{ $c->{q} } if $to > @{ $c->{q} };
            # a few at a time, so that writes are few
            next if length $c->{out}
                || $c->{next} >= $to
                || $to - $c->{next} < $depth / 2 && $to < @{ $c->{q} };
            $c->{out} = join '', @{ $c->{q} }[$c->{next} .. $to - 1];
            $c->{next} = $to;
        }
        for my $c (values %c) {
            next unless length $c->{out};
            my $n = syswrite $c->{s}, $c->{out};
            defined $n ? substr($c->{out}, 0, $n, '')
                       : $! == EAGAIN || croak "write: $!";
        }
        for my $s ($select->can_read(0.05)) {
            my $c = $c{fileno $s};
            my $n = sysread $s, $c->{in}, 262144, length $c->{in};
            next if !defined $n && ($! == EAGAIN || $! == EINTR);
            $n or croak "connection closed after $c->{done} answers";
            my $at = 0;
            while ((my $end = index $c->{in}, "\r\n\r\n", $at) >= 0) {
                my $head = substr $c->{in}, $at, $end - $at;
                $head =~ m{^HTTP/1\.1 200 } or croak "answer: " . substr $c->{in}, $at, 400;
                $head =~ /\r\nContent-Length: (\d+)/i or croak "no length: $head";
                last if $end + 4 + $1 > length $c->{in};
                $at = $end + 4 + $1;
                $c->{done}++;
            }
            substr $c->{in}, 0, $at, '';
            if ($c->{done} == @{ $c->{q} }) {
                $all += $c->{done};
                $select->remove($s);
                delete $c{fileno $s};
            }
        }
    }
    return $all;
}


my %kept;

# one request: (status, body, headers); $body may be a structure

sub http_call {
    my ($port, $path, $body) = @_;
    $body = $json->encode($body) if ref $body;
    my $s = $kept{$port} ||= tcp($port);
    my ($in, $n) = ('');
    syswrite $s, post_text($path, $body);
    while ($in !~ /\r\n\r\n/) {
        $n = sysread $s, $in, 65536, length $in;
        $n or do { delete $kept{$port}; croak "$path: connection closed" };
    }
    my ($head) = $in =~ /^(.*?\r\n\r\n)/s;
    my ($len) = $head =~ /\r\nContent-Length: (\d+)/i or croak "no length: $head";
    while (length($in) < length($head) + $len) {
        sysread $s, $in, 65536, length $in or croak "$path: cut short";
    }
    my ($status) = $head =~ m{^HTTP/1\.1 (\d+)};
    delete $kept{$port} if $head =~ /\r\nConnection: close/i;
    return ($status, substr($in, length $head), $head);
}


# --- Redis

sub resp { join '', '*' . @_ . "\r\n", map { '$' . length($_) . "\r\n$_\r\n" } @_ }

sub redis_connect {
    my ($sock) = @_;
    return IO::Socket::UNIX->new(Peer => $sock) || croak "redis at $sock: $!";
}


# Sends what $next->() returns until it returns undef, many at once; dies on an
# error reply and on a refusal of a script (a plain string where two are due).

sub redis_pipe {
    my ($sock, $next) = @_;
    my $s = redis_connect($sock);
    my ($wait, $end, $in) = (0, 0, '');
    while (!$end || $wait) {
        my ($out, $n) = ('', 0);
        while (!$end && $n < 500) {
            my $cmd = $next->();
            if (!defined $cmd) { $end = 1; last }
            $out .= $cmd;
            $n++;
        }
        while (length $out) {
            my $k = syswrite $s, $out;
            defined $k or croak "redis: $!";
            substr $out, 0, $k, '';
        }
        $wait += $n;
        while ($wait > ($end ? 0 : 500)) {
            sysread $s, $in, 262144, length $in or croak 'redis closed';
            $in =~ /^-(.*)/m and croak "redis: $1";
            # replies here are OK, a number, or two strings
            while ($in =~ /\G(?:[+:].*\r\n|\*2\r\n\$\d+\r\n.*\r\n\$\d+\r\n.*\r\n)/gc) { $wait-- }
            $in = substr $in, pos($in) || 0;
            $in =~ /^\$\d+\r\n(.*)\r\n/ and croak "refused: $1";
        }
    }
}


# one command: the reply as it came

sub redis_raw {
    my ($sock, @cmd) = @_;
    my $s = redis_connect($sock);
    syswrite $s, resp(@cmd);
    my $in = '';
    while (1) {
        sysread $s, $in, 65536, length $in or croak 'redis closed';
        return $in if $in =~ /^[-+:].*\r\n/;
        return substr $in, length($1) + 3 + length "\r\n", $1
            if $in =~ /^\$(\d+)\r\n/ && length($in) >= length($1) + $1 + 5;
    }
}


sub redis_info {
    my ($sock, $section) = @_;
    my $text = redis_raw($sock, 'INFO', $section);
    return { map { /^([^:#]+):(.*?)\r?$/ ? ($1 => $2) : () } split /\n/, $text };
}

sub script_sha { sha1_hex($_[0]) }

1;
