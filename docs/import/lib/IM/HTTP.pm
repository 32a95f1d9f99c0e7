package IM::HTTP;

# Requests that wait while the server says 429 or 5xx, or does not answer.
#
# new() takes: url (the base, ends with a slash), headers (a function that
# returns name => value), wait (seconds before the first repetition, doubled
# each time), max_wait, tries, patience (seconds after which no repetition
# starts), final (a function: is this response the last word?), note (a function
# called before each wait), child (1: end when the parent process ends).

use strict;
use warnings;

use HTTP::Tiny;
use Time::HiRes qw(sleep time);


sub new {
    my ($class, %o) = @_;
    my $self = bless { wait => 60, max_wait => 960, tries => 12,
                       headers => sub { () }, note => sub { }, %o }, $class;

    $self->{url} =~ m{^https?://[^/?#@]+(?:/[^?#]*)?$}
        or die "not an http or https URL: $self->{url}\n";
    $self->{url} =~ s{/*$}{/};
    die "https needs the package libio-socket-ssl-perl\n"
        if $self->{url} =~ /^https/ && !HTTP::Tiny->can_ssl;

    # redirects would carry the key to another server
    $self->{http} = HTTP::Tiny->new(agent => 'im-import', verify_SSL => 1,
                                    max_redirect => 0,
                                    timeout => $o{timeout} || 120);
    return $self;
}


# the last response: { status, content, headers }

sub request {
    my ($self, $method, $path, $query, $body) = @_;
    my $url = "$self->{url}$path";
    my ($wait, $parent, $begin, $r) = ($self->{wait}, getppid, time);

    $url .= '?' . $self->{http}->www_form_urlencode($query) if $query;

    for my $try (1 .. $self->{tries}) {
        $r = $self->{http}->request($method, $url, {
            headers => { $self->{headers}->(),
                ($body ? ('content-type' => 'application/json') : ()) },
            (defined $body ? (content => $body) : ()),
        });

        return $r if $r->{status} != 429 && $r->{status} < 500
                     || $self->{final} && $self->{final}->($r);
        last if $try == $self->{tries}
                || $self->{patience} && time - $begin > $self->{patience};

        my $after = $r->{headers}{'retry-after'} // '';
        my $s = $after =~ /^\d+$/ && $after > $wait ? $after : $wait;
        $s = $self->{max_wait} if $s > $self->{max_wait};
        $self->{note}->($r, $s);

        # nobody waits for the answer once the parent is gone

        my $end = time + $s;
        while ((my $left = $end - time) > 0) {
            sleep($left < 1 ? $left : 1);
            exit 1 if $self->{child} && getppid != $parent;
        }
        $wait *= 2;
    }

    return $r;
}


# why a response is not what was asked for, in one line and without the URL

sub reason {
    my ($r) = @_;
    my $text = $r->{content} // '';
    my ($error) = $text =~ /"error"\s*:\s*"((?:[^"\\]|\\.){0,200})/s;
    $error //= substr $text, 0, 200 if $r->{status} == 599;
    $error //= $r->{reason} // '';
    $error =~ s/\s+/ /g;
    my $status = $r->{status} == 599 ? 'no answer' : $r->{status};
    return "$status: $error";
}


1;
