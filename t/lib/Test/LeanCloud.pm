package Test::LeanCloud;

# A small server that answers as the REST history of LeanCloud does: bare
# arrays, newest first, paged by timestamp and msgid, no cursor.
#
#     my $lc = Test::LeanCloud->new($dir, rows => [ {...}, ... ])->start;
#     $lc->url; $lc->requests; $lc->tell(fail => '429 3'); $lc->stop;
#
# rows are messages from the oldest to the newest.  tell() sets what the next
# requests meet; each request is a process, so that they can be counted:
#
#     fail "STATUS N"     the next N requests get this status
#     cut N               the next N answers end in the middle
#     slow SECONDS        before every answer

use strict;
use warnings;

use Carp qw(croak);
use Digest::MD5 qw(md5_hex);
use Digest::SHA qw(hmac_sha1_hex);
use Fcntl qw(:flock);
use IO::Socket::INET;
use JSON::PP ();
use POSIX ();
use Time::HiRes qw(sleep time);

our ($APP, $KEY) = ('app-id-0001', 'master-key-never-to-be-seen');

my $json = JSON::PP->new->utf8->canonical;


sub new {
    my ($class, $dir, %o) = @_;
    mkdir $dir;
    return bless { rows => [], limit => 1000, %o, dir => $dir, owner => $$ }, $class;
}


sub start {
    my ($self) = @_;
    my $listen = IO::Socket::INET->new(Listen => 64, LocalAddr => '127.0.0.1',
                                       ReuseAddr => 1) or croak "listen: $!";
    $self->{port} = $listen->sockport;
    my $pid = fork // croak "fork: $!";
    if ($pid) { $self->{pid} = $pid; return $self }

    $SIG{CHLD} = 'IGNORE';
    $SIG{TERM} = sub { POSIX::_exit(0) };
    while (1) {
        my $fh = $listen->accept or next;
        next if fork;
        close $listen;
        eval { $self->serve($fh) };
        POSIX::_exit(0);
    }
}


sub url { return "http://127.0.0.1:$_[0]{port}/" }

sub stop {
    my ($self) = @_;
    my $pid = delete $self->{pid} or return;
    kill TERM => $pid;
    waitpid $pid, 0;
}


sub DESTROY { local $?; $_[0]->stop if $_[0]{owner} == $$ }


sub tell {
    my ($self, $what, $value) = @_;
    open my $fh, '>', "$self->{dir}/$what" or croak $!;
    print {$fh} $value;
    close $fh;
}


# what has been asked: { path, query, headers, begin, end, status }

sub requests {
    my ($self) = @_;
    open my $fh, '<', "$self->{dir}/requests" or return [];
    return [ map { $json->decode($_) } <$fh> ];
}


sub serve {
    my ($self, $fh) = @_;
    my $begin = time;
    my $line = <$fh> // return;
    my ($target) = $line =~ m{^GET (\S+) HTTP/1\.1\r\n$};
    my (%headers, %query);
    while (defined(my $h = <$fh>)) {
        last if $h eq "\r\n";
        $headers{lc $1} = $2 if $h =~ /^([^:]+):\s*(.*?)\r\n$/;
    }

    my ($path, $args) = split /\?/, $target // '', 2;
    for (split /&/, $args // '') {
        my ($name, $value) = split /=/, $_, 2;
        $value =~ tr/+/ /;      # a plus must come as %2B
        $value =~ s/%([0-9A-Fa-f]{2})/chr hex $1/ge;
        $query{$name} = $value;
    }

    my ($status, $body) = $self->answer($path, \%query, \%headers);
    my $length = length $body;
    if ($status == 200 && $self->count_down('cut')) { substr($body, $length / 2) = '' }
    $self->slow;
    my $end = time;
    print {$fh} "HTTP/1.1 $status X\r\nContent-Type: application/json\r\n",
        "Content-Length: $length\r\nConnection: close\r\n\r\n", $body;
    close $fh;

    open my $log, '>>', "$self->{dir}/requests" or die $!;
    flock $log, LOCK_EX;
    print {$log} $json->encode({ path => $path, query => \%query, headers => \%headers,
        begin => $begin, end => $end, status => $status }), "\n";
    close $log;
}


sub slow {
    my ($self) = @_;
    open my $fh, '<', "$self->{dir}/slow" or return;
    sleep <$fh>;
}


# "N" or "X N" in a file, minus one; the X, or 1, while there is something left

sub count_down {
    my ($self, $name) = @_;
    open my $fh, '+<', "$self->{dir}/$name" or return;
    flock $fh, LOCK_EX;
    my ($what, $n) = (<$fh> // '') =~ /^(?:(\d+) )?(\d+)$/ or return;
    return if !$n;
    seek $fh, 0, 0;
    truncate $fh, 0;
    print {$fh} defined $what ? "$what " : '', $n - 1;
    return $what // 1;
}


sub answer {
    my ($self, $path, $query, $h) = @_;
    my $error = sub { ($_[0], $json->encode({ code => $_[1], error => $_[2] })) };

    if (my $status = $self->count_down('fail')) {
        return $error->($status, 429, 'Too many requests.');
    }

    my ($digest, $ms, $master) = split /,/, $h->{'x-lc-sign'} // '';
    my $ok = ($h->{'x-lc-id'} // '') eq $APP
        && (($h->{'x-lc-key'} // '') eq "$KEY,master"
            || ($master // '') eq 'master' && abs($ms - time * 1000) < 60_000
               && $digest eq md5_hex($ms . $KEY));
    return $error->(401, 401, "Unauthorized: " . ($h->{'x-lc-key'} // '')) if !$ok;

    my ($rows, $conv);
    if ($path eq '/1.2/rtm/messages') {
        $rows = $self->{rows};
    } elsif ($path =~ m{^/1\.2/rtm/(?:conversations|chatrooms)/([^/]+)/messages$}) {
        $conv = $1;
        return $error->(404, 101, 'Conversation not found.') if $self->{missing}{$conv};
        $rows = [ grep { $_->{to} eq $conv } @{ $self->{rows} } ];
    } elsif ($path =~ m{^/1\.2/rtm/service-conversations/([^/]+)/subscribers/([^/]+)/messages$}) {
        my ($sys, $client) = ($1, $2);
        $client =~ s/%([0-9A-F]{2})/chr hex $1/ge;
        $rows = $self->{subscribers}{$sys}{$client} // [];
    } else {
        return $error->(404, 1, 'No such path.');
    }

    if (defined $conv && $self->{signed}) {
        my $text = join ':', $APP, $query->{client_id} // '', $conv,
            $query->{nonce} // '', $query->{signature_ts} // '';
        return $error->(403, 4302, 'signature') if !length($query->{nonce} // '')
            || $query->{signature} ne hmac_sha1_hex($text, $KEY);
    }

    my $limit = $query->{limit} // 100;
    return $error->(400, 1, 'limit') if $limit !~ /^\d+$/ || $limit < 1 || $limit > 1000;
    return $error->(400, 1, 'msgid needs timestamp')
        if defined $query->{msgid} && !defined $query->{timestamp};
    $limit = $self->{limit} if $limit > $self->{limit};

    # newest first; without msgid all of that millisecond are left out

    my @newest = reverse @$rows;
    if (defined(my $time = $query->{timestamp})) {
        my $from = @newest;
        for my $i (0 .. $#newest) {
            my $m = $newest[$i];
            if ($m->{timestamp} < $time) { $from = $i; last }
            if ($m->{timestamp} == $time && $m->{'msg-id'} eq ($query->{msgid} // '')) {
                $from = $i + 1;
                last;
            }
        }
        splice @newest, 0, $from;
    }
    return (200, $json->encode([ @newest > $limit ? @newest[0 .. $limit - 1] : @newest ]));
}


1;
